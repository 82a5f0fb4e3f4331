"""Can the heatmaps be trusted? CAM methods evaluated on a folder of images: `live-cam evaluate`.

- `images`: finds the images and their true classes.
- `curves`: deletion and insertion curves.
- `evaluator`: the metrics of every method on one image.
- `summary`: the metrics of all images as means, as a table and as JSON.
- `pipeline`: the whole run.
"""
