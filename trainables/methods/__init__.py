"""The registry of methods: a new system is one file in this folder and one line here."""

from trainables.methods.base import Method, MethodConfig, NonFiniteLossError
from trainables.methods.discriminator_only import DiscriminatorOnly
from trainables.methods.discriminator_only_points import DiscriminatorOnlyPoints
from trainables.methods.gan import Gan

METHODS: dict[str, type[Method]] = {
    "discriminator_only": DiscriminatorOnly,
    "discriminator_only_points": DiscriminatorOnlyPoints,
    "gan": Gan,
}

__all__ = ["METHODS", "Method", "MethodConfig", "NonFiniteLossError"]
