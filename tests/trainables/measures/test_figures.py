from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.utils import make_grid

from trainables.measures.image_figures import save_sample_grid


@pytest.mark.parametrize("shape", [(20, 1, 8, 8), (5, 3, 32, 32), (16, 1, 28, 28)])
def test_the_grid_is_that_of_torchvision(tmp_path, shape):
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    save_sample_grid(images, tmp_path / "grid.png")
    enlarged = images.repeat_interleave(32 // shape[-1], dim=-1).repeat_interleave(32 // shape[-1], dim=-2)
    expected = make_grid(enlarged, nrow=8, value_range=(-1, 1), normalize=True, pad_value=1.0)
    shown = np.asarray(Image.open(tmp_path / "grid.png").convert("RGB"))
    np.testing.assert_allclose(shown, expected.permute(1, 2, 0).numpy() * 255, atol=0.51)
