"""Measures: each asks one question of a trained method. A new measure is one file in this folder and one line here."""

MEASURES = {
    "fidelity": "trainables.measures.fidelity:Fidelity",
    "pixels": "trainables.measures.pixels:Pixels",
    "detection": "trainables.measures.detection:Detection",
    "reconstruction": "trainables.measures.reconstruction:Reconstruction",
    "points": "trainables.measures.points:Points",
    "restoration": "trainables.measures.restoration:Restoration",
    "classification": "trainables.measures.classification:Classification",
    "sharpness": "trainables.measures.sharpness:Sharpness",
}
