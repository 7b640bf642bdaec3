"""The registry of search spaces: a new space is one file in this folder and one line here."""

SPACES = {
    "gradnorm": "search_spaces.gradnorm:GradNorm",
    "ablation": "search_spaces.ablation:Ablation",
    "depth": "search_spaces.depth:Depth",
    "step_ratio": "search_spaces.step_ratio:StepRatio",
    "table51": "search_spaces.table51:Table51",
    "table51_cifar10": "search_spaces.table51:Table51Cifar10",
    "balance": "search_spaces.balance:Balance",
    "restoration": "search_spaces.restoration:Restoration",
    "labels": "search_spaces.labels:Labels",
    "collapse": "search_spaces.collapse:Collapse",
    "toy_collapse": "search_spaces.collapse:ToyCollapse",
    "toy_spiral": "search_spaces.toy_spiral:ToySpiral",
    "toy_plane": "search_spaces.toy_plane:ToyPlane",
    "toy_line": "search_spaces.toy_line:ToyLine",
}
