"""Table 4: alignment without pairs, from class labels: class means, and iterative closest points within the classes.

python experiments/geometry.py                # the paper's four latent dimensions
python experiments/geometry.py --latent=50    # one of them: in the paper 0.660, 0.747 (means), 0.950, 0.987 (ICP)
"""

from align_lab import launch, tables

if __name__ == "__main__":
    launch.run(tables.GEOMETRY)
