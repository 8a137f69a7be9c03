//! The driver's checkpoint functions, as `cuda.h` declares them. The only unsafe code of this crate.
//!
//! Layouts and numbers are those of the CUDA driver API reference, "CUDA Checkpointing"
//! (docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__CHECKPOINT.html). CUDA 12.8 has 64 reserved bytes where 13.0 put
//! the pairs of GPUs and 13.3 a pointer of its own; all three read zeros as "nothing asked".
#![allow(unsafe_code, reason = "calls into libcuda.so, which has no safe interface")]

use std::ffi::{OsStr, c_int, c_uint};
use std::mem::{align_of, offset_of, size_of};
use std::ptr;

use libloading::{Library, Symbol};

/// `CUresult`.
pub(super) type Code = c_uint;

pub(super) const SUCCESS: Code = 0;

/// `CUcheckpointLockArgs`.
#[repr(C)]
struct LockArgs {
    timeout_ms: c_uint,
    reserved0: c_uint,
    reserved1: [u64; 7],
}

/// `CUcheckpointCheckpointArgs`.
#[repr(C)]
struct CheckpointArgs {
    reserved: [u64; 8],
}

/// `CUcheckpointRestoreArgs`.
#[repr(C)]
struct RestoreArgs {
    gpu_pairs: *const GpuPair,
    gpu_pairs_count: c_uint,
    reserved: [u8; 52],
}

/// `CUcheckpointUnlockArgs`.
#[repr(C)]
struct UnlockArgs {
    reserved: [u64; 8],
}

/// `CUcheckpointGpuPair`: two `CUuuid`, the device a process was on and the one it goes to.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GpuPair {
    pub(super) from: [u8; 16],
    pub(super) to: [u8; 16],
}

const _: () = {
    assert!(size_of::<LockArgs>() == 64 && align_of::<LockArgs>() == 8);
    assert!(offset_of!(LockArgs, reserved1) == 8);
    assert!(size_of::<CheckpointArgs>() == 64 && align_of::<CheckpointArgs>() == 8);
    assert!(size_of::<RestoreArgs>() == 64 && align_of::<RestoreArgs>() == 8);
    assert!(offset_of!(RestoreArgs, gpu_pairs_count) == 8 && offset_of!(RestoreArgs, reserved) == 12);
    assert!(size_of::<UnlockArgs>() == 64 && align_of::<UnlockArgs>() == 8);
    assert!(size_of::<GpuPair>() == 32 && align_of::<GpuPair>() == 1);
};

type Init = unsafe extern "C" fn(flags: c_uint) -> Code;
type Version = unsafe extern "C" fn(version: *mut c_int) -> Code;
type Read = unsafe extern "C" fn(pid: c_int, out: *mut c_int) -> Code;
type Lock = unsafe extern "C" fn(pid: c_int, args: *mut LockArgs) -> Code;
type Checkpoint = unsafe extern "C" fn(pid: c_int, args: *mut CheckpointArgs) -> Code;
type Restore = unsafe extern "C" fn(pid: c_int, args: *mut RestoreArgs) -> Code;
type Unlock = unsafe extern "C" fn(pid: c_int, args: *mut UnlockArgs) -> Code;

/// The loaded library. Its functions may be called from any thread.
#[derive(Debug)]
pub(super) struct Driver {
    init: Init,
    version: Version,
    restore_thread: Read,
    state: Read,
    lock: Lock,
    checkpoint: Checkpoint,
    restore: Restore,
    unlock: Unlock,
    /// Keeps the functions above where they are.
    _library: Library,
}

impl Driver {
    /// Loads the library and finds the functions, without calling any.
    pub(super) fn load(path: &OsStr) -> Result<Self, libloading::Error> {
        // SAFETY: whoever names the library trusts the code that it runs as it loads: by default it is the NVIDIA
        // driver, which NVML has already run in this process.
        let library = unsafe { Library::new(path) }?;
        // SAFETY: each type above is the function's declaration in `cuda.h`.
        unsafe {
            Ok(Self {
                init: find(&library, b"cuInit\0")?,
                version: find(&library, b"cuDriverGetVersion\0")?,
                restore_thread: find(&library, b"cuCheckpointProcessGetRestoreThreadId\0")?,
                state: find(&library, b"cuCheckpointProcessGetState\0")?,
                lock: find(&library, b"cuCheckpointProcessLock\0")?,
                checkpoint: find(&library, b"cuCheckpointProcessCheckpoint\0")?,
                restore: find(&library, b"cuCheckpointProcessRestore\0")?,
                unlock: find(&library, b"cuCheckpointProcessUnlock\0")?,
                _library: library,
            })
        }
    }

    /// Opens the devices for this process. Makes no context, so no device memory is taken.
    pub(super) fn init(&self) -> Code {
        // SAFETY: takes no pointers.
        unsafe { (self.init)(0) }
    }

    /// 12080 for CUDA 12.8.
    pub(super) fn version(&self) -> Result<i32, Code> {
        let mut version = 0;
        // SAFETY: the pointer is good for the call.
        succeed(unsafe { (self.version)(&raw mut version) }).map(|()| version)
    }

    /// The thread of a process that restores it; a process that never used CUDA has none.
    pub(super) fn restore_thread(&self, pid: i32) -> Result<i32, Code> {
        let mut tid = 0;
        // SAFETY: the pointer is good for the call.
        succeed(unsafe { (self.restore_thread)(pid, &raw mut tid) }).map(|()| tid)
    }

    pub(super) fn state(&self, pid: i32) -> Result<i32, Code> {
        let mut state = -1;
        // SAFETY: the pointer is good for the call.
        succeed(unsafe { (self.state)(pid, &raw mut state) }).map(|()| state)
    }

    /// Waits for at most the timeout, in milliseconds; 0 would mean for ever.
    pub(super) fn lock(&self, pid: i32, timeout_ms: u32) -> Result<(), Code> {
        let mut args = LockArgs {
            timeout_ms: timeout_ms.max(1),
            reserved0: 0,
            reserved1: [0; 7],
        };
        // SAFETY: the pointer is good for the call, and the driver reads 64 bytes.
        succeed(unsafe { (self.lock)(pid, &raw mut args) })
    }

    pub(super) fn checkpoint(&self, pid: i32) -> Result<(), Code> {
        let mut args = CheckpointArgs { reserved: [0; 8] };
        // SAFETY: the pointer is good for the call, and the driver reads 64 bytes.
        succeed(unsafe { (self.checkpoint)(pid, &raw mut args) })
    }

    /// Without pairs the process comes back on the devices it was on.
    pub(super) fn restore(&self, pid: i32, pairs: &[GpuPair]) -> Result<(), Code> {
        let mut args = RestoreArgs {
            gpu_pairs: if pairs.is_empty() { ptr::null() } else { pairs.as_ptr() },
            gpu_pairs_count: c_uint::try_from(pairs.len()).expect("invariant: a host has few devices"),
            reserved: [0; 52],
        };
        // SAFETY: both pointers are good for the call, and the driver reads 64 bytes and as many pairs as said.
        succeed(unsafe { (self.restore)(pid, &raw mut args) })
    }

    pub(super) fn unlock(&self, pid: i32) -> Result<(), Code> {
        let mut args = UnlockArgs { reserved: [0; 8] };
        // SAFETY: the pointer is good for the call, and the driver reads 64 bytes.
        succeed(unsafe { (self.unlock)(pid, &raw mut args) })
    }
}

/// # Safety
/// `F` must be the type of the function of that name.
unsafe fn find<F: Copy>(library: &Library, name: &[u8]) -> Result<F, libloading::Error> {
    // SAFETY: as promised by the caller.
    let symbol: Symbol<'_, F> = unsafe { library.get(name) }?;
    Ok(*symbol)
}

fn succeed(code: Code) -> Result<(), Code> {
    if code == SUCCESS { Ok(()) } else { Err(code) }
}
