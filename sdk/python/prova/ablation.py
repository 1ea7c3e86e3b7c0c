"""Ablation studies: leaving out features, layers and modules, by hand or from what generators make.

    study = prova.ablation.AblationStudy()
    study.features.include("age", "income")
    study.model.layers.include("hidden2")
    result = prova.lagom(train, prova.AblationConfig(study), dataset=make_data, model=make_model)

What is left out is taken from the dataset and model that the generators return, so that neither they nor the training
function need to know of the study. A generator that names an argument `ablated` gets the list instead
(`["feature:age"]`) and leaves it out itself.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, FrozenSet, List, Optional, Sequence, Set, Tuple

from . import _check
from .errors import ConfigError

Generator = Callable[..., Any]


# Taking things out


def drop_features(dataset: Any, features: Sequence[str]) -> Any:
    """A dataset without some features.

    Args:
        dataset: A pandas DataFrame, a dict of arrays, a NumPy array (its features are the column numbers "0", "1", ...),
            or a tuple or list of such: each part loses what it has of them.
        features: Their names.

    Returns:
        A new dataset of the same kind; the arrays of a dict are the same ones.

    Raises:
        ConfigError: no part of the dataset has the feature.

    >>> drop_features({"age": [1], "income": [2]}, ["age"])
    {'income': [2]}
    """
    found: Set[str] = set()
    names = [_check.text(name, "a feature") for name in _check.values(features, "features")]
    result = _drop(dataset, names, found)
    missing = [name for name in names if name not in found]
    if missing:
        raise ConfigError(f"the dataset has no feature '{missing[0]}': {_describe(dataset)}")
    return result


def _drop(part: Any, features: List[str], found: Set[str]) -> Any:
    if isinstance(part, dict):
        found.update(name for name in features if name in part)
        return {name: value for name, value in part.items() if name not in features}
    if isinstance(part, (tuple, list)) and not all(isinstance(value, (int, float, str)) for value in part):
        return type(part)(_drop(value, features, found) for value in part)
    if hasattr(part, "columns") and hasattr(part, "drop"):
        mine = [name for name in features if name in part.columns]
        found.update(mine)
        return part.drop(columns=mine)
    if getattr(part, "ndim", 0) == 2 and hasattr(part, "shape"):
        columns = [int(name) for name in features if name.isdigit() and int(name) < part.shape[1]]
        found.update(str(column) for column in columns)
        return part[:, [i for i in range(part.shape[1]) if i not in columns]] if columns else part
    return part


def _describe(dataset: Any) -> str:
    if isinstance(dataset, dict):
        return "it has " + ", ".join(map(str, dataset))
    if hasattr(dataset, "columns"):
        return "it has " + ", ".join(map(str, dataset.columns))
    if isinstance(dataset, (tuple, list)):
        return "; ".join(_describe(part) for part in dataset)
    shape = getattr(dataset, "shape", None)
    return f"an array of shape {tuple(shape)}" if shape is not None else f"a {type(dataset).__name__}"


def drop_layers(model: Any, names: Sequence[str]) -> Any:
    """A model without some layers.

    Args:
        model: A PyTorch module: a direct child of an `nn.Sequential` is removed, any other module is replaced by
            `nn.Identity`. Or a Keras model, Sequential or functional: a new one without these layers, of which what came
            into one goes into whatever took its output; it keeps the weights whose shapes stay as they were.
        names: Names of layers; of PyTorch modules the dotted path, as in `named_modules()`.

    Raises:
        ConfigError: the model has no such layer, or is of neither kind, or the layer cannot be left out by itself.

    >>> drop_layers([], ["hidden2"])
    Traceback (most recent call last):
    prova.errors.ConfigError: layers of a list cannot be left out by themselves: give the model generator an argument ...
    """
    if hasattr(model, "named_modules"):
        for name in names:
            model = _drop_module(model, name)
        return model
    if hasattr(model, "layers") and hasattr(model, "get_config"):
        try:
            from . import _keras
        except ImportError as error:
            raise ConfigError(f"leaving layers out of a {type(model).__name__} needs Keras: {error}. Or give the model "
                              "generator an argument `ablated`, and leave out there what it lists") from error
        return _keras.drop(model, list(names))
    raise ConfigError(f"layers of a {type(model).__name__} cannot be left out by themselves: give the model generator "
                      "an argument `ablated`, and leave out there what it lists")


def _drop_module(model: Any, name: str) -> Any:
    from torch import nn
    modules = dict(model.named_modules())
    if name not in modules or not name:
        raise ConfigError(f"the model has no module '{name}'; it has: {', '.join(n for n in modules if n)}")
    path, _, last = name.rpartition(".")
    parent = modules[path] if path else model
    if isinstance(parent, nn.Sequential):
        kept = [(key, child) for key, child in parent.named_children() if key != last]
        parent._modules.clear()
        for key, child in kept:
            parent.add_module(key, child)
    else:
        setattr(parent, last, nn.Identity())
    return model


def names_of(ablated: Sequence[str], *kinds: str) -> List[str]:
    """The names of some kinds among what a trial leaves out.

    Args:
        ablated: What it leaves out, as a generator's argument `ablated` and `Trial.ablated_list` have it.
        *kinds: "feature", "layer", "module", ...

    Raises:
        ConfigError: it is no list of texts.

    >>> names_of(["feature:age", "layer:conv2", "group:g"], "layer", "module")
    ['conv2']
    """
    parts = [_check.text(component, "a component").partition(":") for component in _check.values(ablated, "ablated")]
    return [name for kind, _, name in parts if kind in kinds]


# Maggy's study


class _Names:
    """A set of names, in the order in which they were included."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.names: List[str] = []

    def _flat(self, arguments: Sequence[Any]) -> List[str]:
        flat: List[str] = []
        for argument in arguments:
            flat += list(argument) if isinstance(argument, (list, tuple)) else [argument]
        for name in flat:
            if not isinstance(name, str):
                raise ConfigError(f"a {self._what} is a name or a list of names, not {_check.short(name)}")
        return flat

    def include(self, *names: Any) -> None:
        """Adds names, or lists of names."""
        self.names += [name for name in self._flat(names) if name not in self.names]

    def exclude(self, *names: Any) -> None:
        """Takes names out again; one that is not there is ignored."""
        gone = self._flat(names)
        self.names = [name for name in self.names if name not in gone]

    def list_all(self) -> None:
        """Prints them."""
        print("\n".join(self.names))


class Features(_Names):
    """Features to be left out, each alone.

    >>> features = AblationStudy().features
    >>> features.include("age", ["income", "sex"])
    >>> features.exclude("sex")
    >>> features.names
    ['age', 'income']
    """

    def __init__(self) -> None:
        super().__init__("feature")

    @property
    def included_features(self) -> Set[str]:
        """Maggy's name of them."""
        return set(self.names)


class Layers(_Names):
    """Layers to be left out, each alone or in groups.

    Raises:
        ConfigError: by its methods: a name is no text, or a group has less than two.

    >>> layers = AblationStudy().model.layers
    >>> layers.include("conv1")
    >>> layers.include_groups(["conv1", "conv2"], prefix="dense")
    >>> layers.groups, layers.prefixes
    ([('conv1', 'conv2')], ['dense'])
    """

    def __init__(self) -> None:
        super().__init__("layer")
        self.groups: List[Tuple[str, ...]] = []
        self.prefixes: List[str] = []

    @property
    def included_layers(self) -> Set[str]:
        """Maggy's name of them."""
        return set(self.names)

    @property
    def included_groups(self) -> Set[FrozenSet[str]]:
        """Maggy's name of the groups."""
        return {frozenset(group) for group in self.groups} | {frozenset([prefix]) for prefix in self.prefixes}

    def include_groups(self, *groups: Sequence[str], prefix: Optional[str] = None) -> None:
        """Adds layers that are left out together: lists of at least two names, or all that begin with `prefix`."""
        if prefix is not None:
            if not isinstance(prefix, str) or not prefix:
                raise ConfigError(f"prefix must be a text, not {_check.short(prefix)}")
            self.prefixes.append(prefix)
        for group in groups:
            if not isinstance(group, (list, tuple, set, frozenset)) or len(group) < 2:
                raise ConfigError(f"a group of layers is a list of at least two names, not {_check.short(group)}; a single "
                                  "layer is given to include()")
            self.groups.append(tuple(self._flat([list(group)])))

    def print_all(self) -> None:
        """Prints the single layers."""
        self.list_all()

    def print_all_groups(self) -> None:
        """Prints the groups."""
        for group in [*map(list, self.groups), *(prefix + "*" for prefix in self.prefixes)]:
            print(group)


class Model:
    """The model of a study.

    Raises:
        ConfigError: by `add_custom_model_generator`: the identifier is no text.

    >>> model = AblationStudy().model
    >>> model.set_base_model_generator(lambda: ["conv1", "conv2"])
    >>> model.add_custom_model_generator(lambda: ["other"], "another one")
    >>> model.base_model_generator()
    ['conv1', 'conv2']
    """

    def __init__(self) -> None:
        self.layers = Layers()
        self.base_model_generator: Optional[Generator] = None
        self.custom_model_generators: List[Tuple[Generator, str]] = []

    def set_base_model_generator(self, base_model_generator: Generator) -> None:
        """What makes the whole model."""
        self.base_model_generator = base_model_generator

    def add_custom_model_generator(self, custom_model_generator: Generator, model_identifier: str) -> None:
        """One more trial, with another model."""
        self.custom_model_generators.append((custom_model_generator, _check.text(model_identifier, "model_identifier")))


class AblationStudy:
    """What is to be left out: Maggy's class.

    Args:
        training_dataset_name: Kept for Maggy's sake; not needed.
        training_dataset_version: Likewise.
        label_name: Likewise.
        dataset_generator: What makes the dataset.

    >>> study = AblationStudy()
    >>> study.features.include("age", "income")
    >>> study.to_section()
    {'features': ['age', 'income'], 'sets': [['feature:age'], ['feature:income']]}
    """

    def __init__(self, training_dataset_name: Optional[str] = None, training_dataset_version: Optional[int] = None,
                 label_name: Optional[str] = None, dataset_generator: Optional[Generator] = None) -> None:
        self.features = Features()
        self.model = Model()
        self.hops_training_dataset_name = training_dataset_name
        self.hops_training_dataset_version = training_dataset_version
        self.label_name = label_name
        self.custom_dataset_generator = dataset_generator

    def set_dataset_generator(self, dataset_generator: Generator) -> None:
        """What makes the dataset."""
        self.custom_dataset_generator = dataset_generator

    def to_dict(self) -> Dict[str, Any]:
        """Maggy's description of it."""
        return {
            "training_dataset_name": self.hops_training_dataset_name,
            "training_dataset_version": self.hops_training_dataset_version,
            "label_name": self.label_name,
            "included_features": list(self.features.names),
            "included_layers": list(self.model.layers.names),
            "custom_dataset_generator": self.custom_dataset_generator is not None,
        }

    def _all_layers(self) -> List[str]:
        layers = self.model.layers
        names = list(layers.names)
        for group in layers.groups:
            names += [name for name in group if name not in names]
        if layers.prefixes:
            names += [name for name in self._model_layers() if name not in names and name.startswith(tuple(layers.prefixes))]
        return names

    def _model_layers(self) -> List[str]:
        """Names of the base model's layers, which a prefix needs."""
        if self.model.base_model_generator is None:
            return []
        model = self.model.base_model_generator()
        if hasattr(model, "named_modules"):
            return [name for name, _ in model.named_modules() if name]
        return [layer.name for layer in getattr(model, "layers", [])]

    def to_section(self) -> Dict[str, Any]:
        """The `ablation:` section of a sweep file.

        Raises:
            ConfigError: a prefix that no layer has, or nothing to leave out.
        """
        layers, sets = self._all_layers(), [[f"feature:{name}"] for name in self.features.names]
        sets += [[f"layer:{name}"] for name in self.model.layers.names]
        sets += [[f"layer:{name}" for name in group] for group in self.model.layers.groups]
        for prefix in self.model.layers.prefixes:
            group = [name for name in layers if name.startswith(prefix)]
            if not group:
                raise ConfigError(f"no layer's name begins with '{prefix}': include the layers, or set the base model "
                                  "generator, so that their names are known")
            sets.append([f"layer:{name}" for name in group])
        section: Dict[str, Any] = {"features": list(self.features.names), "layers": layers, "sets": sets,
                                   "variants": [name for _, name in self.model.custom_model_generators]}
        section = {key: value for key, value in section.items() if value}
        if not section:
            raise ConfigError("the study leaves nothing out: include features or layers")
        return section


class ModelClass:
    """A class from which a training function makes its model itself, as Maggy has it: `model(units=3)`.

    >>> ModelClass(dict).choose([])(units=3)
    {'units': 3}
    """

    is_handed_on = True

    def __init__(self, model: Generator) -> None:
        self.model = model

    def choose(self, ablated: Sequence[str]) -> Generator:
        """The class, whatever is left out."""
        del ablated
        return self.model


class StudyModel:
    """The model generator of a study: the base model, or the custom one of the trial's variant.

    Args:
        base: What makes the whole model; None: the study has none.
        custom: What makes other ones, and their names.

    Raises:
        ConfigError: by `choose`: the base model is wanted, and there is none.

    >>> StudyModel(lambda: "whole", [(lambda: "small", "tiny")]).choose(["variant:tiny"])()
    'small'
    """

    def __init__(self, base: Optional[Generator], custom: Sequence[Tuple[Generator, str]]) -> None:
        self.base = base
        self.custom = {name: generator for generator, name in custom}

    def choose(self, ablated: Sequence[str]) -> Generator:
        """The generator of a trial that leaves this out."""
        for name in names_of(ablated, "variant"):
            if name in self.custom:
                return self.custom[name]
        if self.base is None:
            raise ConfigError("the study has no base model generator: set_base_model_generator sets it")
        return self.base
