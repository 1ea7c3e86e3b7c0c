# %% [markdown]
# # Tune a scikit-learn model
#
# A small neural network that reads handwritten digits, and five things about it that nobody knows beforehand.
# We write the training as a function, say what may vary, and let prova try.
#
# It runs as it is: the digits come with scikit-learn, the trials run on this machine, in two processes.

# %%
import warnings

import prova
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

# %% [markdown]
# ## The training function
#
# It takes its parameters by name, and tells after every epoch how good it is: `prova.report(epoch, accuracy)`.
# This is what lets prova end a poor trial early. Called by hand the function does the same, and `report`
# nothing, so it can be tried first.


# %%
def train(lr, alpha, width, batch, activation):
    warnings.simplefilter("ignore")
    images, digits = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(images / 16, digits, random_state=0)
    network = MLPClassifier((width,), activation=activation, alpha=alpha, learning_rate_init=lr,
                            batch_size=batch, random_state=0)
    for epoch in range(10):
        network.partial_fit(x_train, y_train, classes=range(10))
        accuracy = network.score(x_test, y_test)
        prova.report(epoch, accuracy)
    return accuracy


print("by hand:", train(lr=0.001, alpha=0.001, width=16, batch=64, activation="tanh"))

# %% [markdown]
# ## The search
#
# One call. It starts two worker processes, shows how far it is, and returns when all trials have ended. With
# `stopping="median"` a trial ends as soon as it is worse than half of the earlier ones were at the same epoch.

# %%
result = prova.lagom(
    train,
    name="digits",
    parameters={
        "lr": prova.double(1e-4, 1e-1, log=True),
        "alpha": prova.double(1e-6, 1e-1, log=True),
        "width": prova.int(8, 128, log=True),
        "batch": prova.discrete([16, 32, 64, 128]),
        "activation": prova.categorical(["relu", "tanh"]),
    },
    metric="accuracy",
    goal="maximize",
    stopping="median",
    trials=24,
    workers=2,
    seed=1,
)

# %% [markdown]
# ## What came of it
#
# The result knows the best trial and all others; `to_pandas()` makes a table of them.

# %%
print(f"best accuracy {result.best_value:.3f}, trial {result.best_trial}: {result.best_params}")
result.to_pandas().sort_values("value", ascending=False).head()

# %%
prova.plots.best_so_far(result);

# %% [markdown]
# Each line is one trial. The short ones are those that were stopped.

# %%
prova.plots.learning_curves(result);

# %%
prova.plots.parameter_effects(result);

# %%
prova.plots.parallel_coordinates(result);

# %% [markdown]
# ## Later
#
# Everything is in the file `prova.db`, and is found again after the kernel was restarted, from another
# notebook, or by the command `prova show digits`. Had it been interrupted, the same call with `resume=True`
# would go on.

# %%
prova.connect().experiment("digits").result()
