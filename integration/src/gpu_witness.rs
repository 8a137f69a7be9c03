//! What user code itself sees of its GPUs: a witness that no ledger can fool.

use std::fs;
use std::path::PathBuf;

/// One file a device, which a cell that uses the device holds locked, and one of complaints. The kernel of the operating system
/// takes a lock from a process that dies, so a lock is held exactly as long as somebody can run code on the device.
#[derive(Clone, Debug)]
pub(crate) struct GpuWitness {
    dir: PathBuf,
}

/// `use(number, gpus, millis)` holds the cell's devices for that long and then appends its number to `log`. A locked device is
/// somebody else's, unless that process is being killed: it runs no more code, but its end takes a moment on a loaded machine.
const CODE: &str = r#"
log = []
def use(number, gpus, millis):
    import fcntl, os, time, nbos_kernel
    def complain(what):
        with open(os.path.join(DIR, 'complaints'), 'a') as file:
            file.write(f'{time.time():.3f} process {os.getpid()}, cell {number}: {what}\n')
    def holder(lock):
        lock.seek(0)
        return lock.read().strip()
    def is_dying(pid):
        try:
            status = open(f'/proc/{pid}/status').read()
        except OSError:
            return True
        fields = dict(line.split(':', 1) for line in status.splitlines() if ':' in line)
        pending = int(fields['ShdPnd'], 16) | int(fields['SigPnd'], 16)
        return fields['State'].strip()[0] in 'ZX' or bool(pending & 1 << 8)
    mine = nbos_kernel.gpus()
    if len(mine) != gpus:
        complain(f'has {len(mine)} GPUs instead of {gpus}')
    held = []
    try:
        for gpu in mine:
            lock = open(os.path.join(DIR, gpu.uuid), 'a+')
            held.append(lock)
            living, began = None, time.monotonic()
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError:
                    other, now = holder(lock), time.monotonic()
                    if not other or is_dying(other):
                        living = None
                    elif living is None or living[0] != other:
                        living = (other, now)
                    elif now - living[1] > 0.1:
                        complain(f'{gpu.uuid} is used by process {other}')
                        break
                    if now - began > 5:
                        complain(f'{gpu.uuid} stays locked by process {other}')
                        break
                    time.sleep(0.005)
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
        time.sleep(millis / 1000)
    finally:
        for lock in held:
            lock.close()
    log.append(number)
"#;

impl GpuWitness {
    /// With its files in `dir`, which it makes.
    pub(crate) fn new(dir: PathBuf) -> Self {
        fs::create_dir_all(&dir).expect("a directory for the witness");
        Self { dir }
    }

    /// The cell that a session begins with.
    pub(crate) fn definition(&self) -> String {
        format!("DIR = {:?}\n{CODE}", self.dir)
    }

    /// A cell that appends `number` to `log` after it has held its GPUs for so long.
    pub(crate) fn cell(number: u64, gpus: u32, millis: u64) -> String {
        format!("use({number}, {gpus}, {millis})")
    }

    /// What cells complained of.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.join("complaints")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Devices that were used so far.
    pub(crate) fn devices(&self) -> usize {
        let files = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        files.filter(|file| file.file_name() != "complaints").count()
    }
}
