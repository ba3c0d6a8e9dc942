"""What runs beside the measurement, and ends with it."""


class Running:
    """Started and stopped by `with`; stopped as well when it does not come up. Whoever is one has
    `start` and `stop`."""

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
