"""Executors that equal the reference, only faster; kernels lie apart, so that their cache is stable."""
