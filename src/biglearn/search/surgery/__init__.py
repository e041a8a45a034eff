"""Surgery: which component to give up and which to cut, tried where it happens."""
