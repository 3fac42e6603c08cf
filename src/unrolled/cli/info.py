"""`unrolled info`: what is installed and what this machine can do."""


def info() -> None:
    """Show versions, the processor and which path runs the recurrences.

    Example: unrolled info
    """
    import torch

    from .. import kernels
    from ..system.machine import machine, num_cores, versions

    status = kernels.status()
    for name, version in versions().items():
        print(f"{name:<22}{version}")
    print(f"{'machine':<22}{machine()}")
    print(f"{'threads':<22}{torch.get_num_threads()} of {num_cores()}")
    print(f"{'instruction set':<22}{status.instruction_set}")
    print(f"{'recurrences run on':<22}{status.recurrences}")
