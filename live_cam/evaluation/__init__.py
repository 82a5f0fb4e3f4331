"""Can the images be trusted? Methods measured on a folder of images: `live-cam evaluate`.

- `images`: which images there are, and what they show.
- `measuring`: one image, explained by every method and measured.
- `summary`: the figures of all images, as means, as a table and as JSON.
- `pipeline`: all of it.
"""
