"""Classical image restoration, which learns nothing: what restoration by a network is compared with."""
