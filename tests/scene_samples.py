"""A scene that tests register as a work, and lift from."""

SCENE = """INT. LAMP ROOM - NIGHT

MARTA trims the wick without looking at it. JONAH stands in the door, wet to the knees.

JONAH
You kept it burning the whole night for a boat you knew was gone before the bell rang.

MARTA
I kept it burning for whoever was still out there and had nobody to keep one for them.

JONAH
There was nobody out there. I walked the causeway to the end and I called until I had no voice.

MARTA
Then sit down and have no voice here, where it is warm, and let me do the calling until morning.
"""
