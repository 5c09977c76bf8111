"""`python -m linreg_cli` is the same as `linreg`."""

from linreg_cli.cli.app import main

if __name__ == "__main__":
    main()
