# %% [markdown]
# # What matters? An ablation study
#
# A model is good; which of its inputs is it good for? *Leave one component out*: train without each feature in
# turn, several times with other seeds, and see what is lost. The training function need not know of it.

# %%
import prova
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

# %% [markdown]
# ## The data and the training function
#
# `make_data` returns a pandas frame. prova takes the left-out columns from what it returns. `trial.seed` is
# another one in each repeat, and the same for all variants of that repeat, so the comparison is a paired one.


# %%
def make_data():
    return load_diabetes(as_frame=True, return_X_y=True)


def train(dataset, trial):
    patients, progression = dataset
    x_train, x_test, y_train, y_test = train_test_split(patients, progression, test_size=0.3, random_state=trial.seed)
    return r2_score(y_test, LinearRegression().fit(x_train, y_train).predict(x_test))


# %% [markdown]
# ## The study
#
# Every feature by itself, and the six blood serum measurements together: 11 variants and the whole model, 12
# times each.

# %%
serum = ["s1", "s2", "s3", "s4", "s5", "s6"]
study = prova.AblationConfig(
    {"features": ["age", "sex", "bmi", "bp", *serum], "groups": {"serum": serum}},
    name="diabetes",
    metric="r2",
    direction="max",
    repeats=12,
    workers=2,
    dataset=make_data,
)
result = prova.lagom(train, study, seed=1)
result

# %% [markdown]
# The most important component comes first. `P (HOLM)` is how likely such a change would be by chance alone,
# corrected for the number of components that were tried. What can be shown to matter is blue in the picture:
# without the blood measurements, the body mass index or the blood pressure the model is worse; age it can do
# without.

# %%
prova.plots.component_effects(result);
