"""The registry of methods: a new system is one file in this folder and one line here."""

METHODS = {
    "discriminator_only": "trainables.methods.discriminator_only:DiscriminatorOnly",
    "discriminator_only_points": "trainables.methods.discriminator_only_points:DiscriminatorOnlyPoints",
    "discriminator_only_restoration": "trainables.methods.discriminator_only_restoration:DiscriminatorOnlyRestoration",
    "duelgan": "trainables.methods.duelgan:DuelGan",
    "duq": "trainables.methods.duq:Duq",
    "ensemble": "trainables.methods.ensemble:Ensemble",
    "feature_matching": "trainables.methods.feature_matching:FeatureMatching",
    "flow": "trainables.methods.flow:Flow",
    "gan": "trainables.methods.gan:Gan",
    "inversion": "trainables.methods.inversion:Inversion",
    "presgan": "trainables.methods.presgan:PresGan",
    "restoration_gan": "trainables.methods.restoration_gan:RestorationGan",
    "sgan": "trainables.methods.sgan:Sgan",
    "vae": "trainables.methods.vae:Vae",
    "vae_gan": "trainables.methods.vae_gan:VaeGan",
}
