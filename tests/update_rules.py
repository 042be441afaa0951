"""The published update rules of the optimisers in NumPy, one parameter at a time: what tests compare with."""

from typing import Protocol

import numpy as np


class Rule(Protocol):
    """Keeps the state of every parameter under its name."""

    def update(self, name: str, weight: np.ndarray, gradient: np.ndarray, rate: float) -> np.ndarray:
        """The weight after one step."""


class Sgd:
    """Nesterov's momentum (Sutskever et al. 2013, in PyTorch's form): the first velocity is the gradient."""

    def __init__(self, momentum: float, nesterov: bool) -> None:
        self.momentum, self.nesterov = momentum, nesterov
        self.velocity: dict[str, np.ndarray] = {}

    def update(self, name: str, weight: np.ndarray, gradient: np.ndarray, rate: float) -> np.ndarray:
        velocity = self.momentum * self.velocity.get(name, 0.0) + gradient
        self.velocity[name] = velocity
        return weight - rate * (gradient + self.momentum * velocity if self.nesterov else velocity)


class Adam:
    """Kingma and Ba 2015, in the order of computation that ends their section 2."""

    def __init__(self) -> None:
        self.moments: dict[str, tuple[np.ndarray, np.ndarray, int]] = {}

    def update(self, name: str, weight: np.ndarray, gradient: np.ndarray, rate: float) -> np.ndarray:
        m, v, t = self.moments.get(name, (0.0, 0.0, 0))
        m, v, t = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2, t + 1
        self.moments[name] = (m, v, t)
        return weight - rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-8)


class RAdam:
    """Liu et al. 2020, algorithm 2, with their program's 5 for the paper's 4 and its place of epsilon."""

    def __init__(self) -> None:
        self.moments: dict[str, tuple[np.ndarray, np.ndarray, int]] = {}

    def update(self, name: str, weight: np.ndarray, gradient: np.ndarray, rate: float) -> np.ndarray:
        m, v, t = self.moments.get(name, (0.0, 0.0, 0))
        m, v, t = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2, t + 1
        self.moments[name] = (m, v, t)
        corrected = m / (1 - 0.9**t)
        rho = 1999 - 2 * t * 0.999**t / (1 - 0.999**t)
        if rho < 5:
            return weight - rate * corrected
        rectified = np.sqrt((rho - 4) / 1995 * (rho - 2) / 1997 * 1999 / rho)
        return weight - rate * rectified * corrected * np.sqrt(1 - 0.999**t) / (np.sqrt(v) + 1e-8)


class RmsProp:
    """Tieleman and Hinton 2012; the mean square starts at 1."""

    def __init__(self) -> None:
        self.mean_square: dict[str, np.ndarray] = {}

    def update(self, name: str, weight: np.ndarray, gradient: np.ndarray, rate: float) -> np.ndarray:
        mean = 0.9 * self.mean_square.get(name, 1.0) + 0.1 * gradient**2
        self.mean_square[name] = mean
        return weight - rate * gradient / np.sqrt(mean + 1e-10)


class Adadelta:
    """Zeiler 2012, algorithm 1, times a learning rate."""

    def __init__(self) -> None:
        self.means: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def update(self, name: str, weight: np.ndarray, gradient: np.ndarray, rate: float) -> np.ndarray:
        of_gradients, of_updates = self.means.get(name, (0.0, 0.0))
        of_gradients = 0.9 * of_gradients + 0.1 * gradient**2
        update = np.sqrt(of_updates + 1e-6) / np.sqrt(of_gradients + 1e-6) * gradient
        self.means[name] = (of_gradients, 0.9 * of_updates + 0.1 * update**2)
        return weight - rate * update
