"""Executors that equal the reference step by step, only faster. One file each; kernels apart, so that their cache is stable."""
