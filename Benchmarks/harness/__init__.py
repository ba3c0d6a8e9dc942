"""What bench.py is made of: machine, servers, load, chapters (the measurements), report and
chart."""
