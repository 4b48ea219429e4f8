"""Loading in worker processes with limits on memory and time.

`pool` loads assets in workers, ahead of the consumer; `worker` is one worker seen from the parent,
`worker_process` the program that it runs, `messages` what passes between them, `bounds` the limits.
"""
