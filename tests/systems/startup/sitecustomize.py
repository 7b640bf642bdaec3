"""Python runs this whenever a program of the tests starts: imports take an eighth less without most of the collections.

They make objects that stay, and Python looks through them again and again.
"""

import gc

gc.set_threshold(10_000)
