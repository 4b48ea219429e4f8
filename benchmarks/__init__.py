"""Benchmarks: seeded, side by side with bare libraries; results stand in benchmarks/README.md."""
