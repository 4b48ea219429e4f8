"""Local features of pictures: what is found, how it is compressed, and how two pictures' features
are matched.
"""
