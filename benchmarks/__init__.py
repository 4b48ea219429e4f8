"""Benchmarks: seeded, compared with bare libraries; results in benchmarks/results/."""
