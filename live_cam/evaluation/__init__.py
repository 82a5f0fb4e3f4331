"""Can the pictures be trusted? Methods measured on a folder of pictures: `live-cam evaluate`.

- `pictures`: which pictures there are, and what they show.
- `measuring`: one picture, explained by every method and measured.
- `summary`: the figures of all pictures, as means, as a table and as JSON.
- `pipeline`: all of it.
"""
