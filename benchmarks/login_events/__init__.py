"""The benchmark of login events: `race` runs it, `pieces` says what a batch consists of, `stand` has what both use."""
