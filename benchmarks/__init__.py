"""What linreg costs beside what a user would pick instead; `make bench` runs everything.

problems    tables in memory and on the disk
measure     times, spreads, fresh processes, the machine
steps       what every engine is asked to do, and the list of engines
ours, peers, c_loop
            the engines: linreg's and torch's; everybody else's; the alternative to numba
same_steps, time_to_gap, end_to_end
            the three tables, each `python -m benchmarks.NAME`, each saved as results/NAME.json
programs/   the programs that end_to_end starts, as a user would write them
page        the results as Markdown, into docs/performance.md
picture     docs/images/performance.png
quick       `make bench-quick`: ratios of now against stored ones; ratios holds the rule
"""
