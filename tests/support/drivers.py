"""The exceptions of torch, OpenVINO and their drivers, word for word."""

from __future__ import annotations

import torch

_CUDA_HINTS = (
    "\nCUDA kernel errors might be asynchronously reported at some other API call, so the "
    "stacktrace below might be incorrect.\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1\n"
    "Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n"
)

NO_MEMORY: dict[str, Exception] = {
    "cuda": torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 392.00 MiB. GPU 0 has a total capacity of 3.81 GiB "
        "of which 211.75 MiB is free. Including non-PyTorch memory, this process has 3.59 GiB "
        "memory in use."
    ),
    "cuda driver": torch.AcceleratorError("CUDA error: out of memory" + _CUDA_HINTS),
    "cublas": RuntimeError(
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
    ),
    "mps": RuntimeError(
        "MPS backend out of memory (MPS allocated: 8.89 GB, other allocations: 172.98 MB, max "
        "allowed: 9.07 GB). Tried to allocate 6.25 MB on private pool. Use "
        "PYTORCH_MPS_HIGH_WATERMARK_RATIO=0.0 to disable upper limit for memory allocations (may "
        "cause system failure)."
    ),
    "xpu": RuntimeError(
        "level_zero backend failed with error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)"
    ),
    "cpu": RuntimeError(
        "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: "
        "you tried to allocate 12845056 bytes. Error code 12 (Cannot allocate memory)"
    ),
    "numpy": MemoryError("Unable to allocate 574. KiB for an array with shape (224, 224, 3)"),
}
LOST: dict[str, Exception] = {
    "cuda": torch.AcceleratorError("CUDA error: unspecified launch failure" + _CUDA_HINTS),
    "cuda, torch before 2.8": RuntimeError("CUDA error: an illegal memory access was encountered"),
    "cuda, too old a GPU": torch.AcceleratorError(
        "CUDA error: no kernel image is available for execution on the device" + _CUDA_HINTS
    ),
    "cudnn": RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    "mps": RuntimeError("MPS error: command buffer exited with error status."),
    "xpu": RuntimeError("level_zero backend failed with error: 20 (UR_RESULT_ERROR_DEVICE_LOST)"),
    "ipex": RuntimeError("Native API failed. Native API returns: 20 (UR_RESULT_ERROR_DEVICE_LOST)"),
    "openvino": RuntimeError(
        "Exception from src/inference/src/cpp/infer_request.cpp:224:\n"
        "Exception from src/plugins/intel_gpu/src/runtime/ocl/ocl_stream.cpp:369:\n"
        "[GPU] clFlush, error code: -5 CL_OUT_OF_RESOURCES\n"
    ),
}
