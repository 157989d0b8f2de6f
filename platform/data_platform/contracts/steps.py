"""What an event of the mobile app can be in a session; `rules.yaml` says which event is what."""

STEPS = ("opened", "looked", "found", "booked", "started", "failed", "done", "rated", "out_of_zone")
