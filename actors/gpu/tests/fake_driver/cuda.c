/*
 * A driver without devices: the checkpoint functions of libcuda.so.1 with the states, argument layouts and error numbers
 * that NVIDIA documents (docs.nvidia.com/cuda/cuda-driver-api, "CUDA Checkpointing"), for tests.
 *
 * All that it knows is in files beside the library itself, so that tests see and steer it and nothing ends with a process:
 *   PID        state of a process, a number as in CUprocessState; a process without a file does not use CUDA
 *   calls      one line a call: NAME PID and what the arguments say
 *   version    what cuDriverGetVersion says; 13000 without the file
 *   fault      NAME CODE: the function of that name returns the error and changes nothing; CODE "hang" blocks it for as long
 *              as the file is there; CODE "lose" makes the process FAILED
 *   devices    path of a directory of simulated devices: a process's files there, DEVICE/PID, become DEVICE/PID.suspended
 *              as it is checkpointed, and DEVICE/PID again as it is restored
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned int CUresult;
typedef struct { unsigned char bytes[16]; } CUuuid;
typedef struct { unsigned int timeoutMs; unsigned int reserved0; uint64_t reserved1[7]; } CUcheckpointLockArgs;
typedef struct { uint64_t reserved[8]; } CUcheckpointCheckpointArgs;
typedef struct { CUuuid oldUuid; CUuuid newUuid; } CUcheckpointGpuPair;
typedef struct {
    CUcheckpointGpuPair *gpuPairs;
    unsigned int gpuPairsCount;
    char reserved[52 - sizeof(CUcheckpointGpuPair *)];
    uint64_t reserved1;
} CUcheckpointRestoreArgs;
typedef struct { uint64_t reserved[8]; } CUcheckpointUnlockArgs;

_Static_assert(sizeof(CUcheckpointLockArgs) == 64, "lock");
_Static_assert(sizeof(CUcheckpointCheckpointArgs) == 64, "checkpoint");
_Static_assert(sizeof(CUcheckpointRestoreArgs) == 64, "restore");
_Static_assert(sizeof(CUcheckpointUnlockArgs) == 64, "unlock");
_Static_assert(sizeof(CUcheckpointGpuPair) == 32, "pair");

enum { RUNNING, LOCKED, CHECKPOINTED, FAILED };
enum { SUCCESS = 0, INVALID_VALUE = 1, NOT_INITIALIZED = 3, ILLEGAL_STATE = 401, NOT_READY = 600, UNKNOWN = 999 };

static int initialized;

/* The path of a file beside this library. */
static void beside(char *path, const char *name) {
    Dl_info own;
    char library[PATH_MAX] = "./";
    if (dladdr(&initialized, &own) && own.dli_fname) snprintf(library, sizeof library, "%s", own.dli_fname);
    char *slash = strrchr(library, '/');
    if (slash) *slash = 0;
    snprintf(path, PATH_MAX * 2, "%s/%s", library, name);
}

static FILE *open_file(const char *name, const char *mode) {
    char path[PATH_MAX * 2];
    beside(path, name);
    return fopen(path, mode);
}

static int read_number(const char *name, int otherwise) {
    FILE *file = open_file(name, "r");
    int number = otherwise;
    if (file) {
        if (fscanf(file, "%d", &number) != 1) number = otherwise;
        fclose(file);
    }
    return number;
}

static int state_of(int pid) {
    char name[32];
    snprintf(name, sizeof name, "%d", pid);
    return read_number(name, -1);
}

/* Replaced, not rewritten: whoever reads it meanwhile sees one state or the other. */
static CUresult become(int pid, int state) {
    char name[32], next[64], from[PATH_MAX * 2], to[PATH_MAX * 2];
    snprintf(name, sizeof name, "%d", pid);
    snprintf(next, sizeof next, "%d.next", pid);
    FILE *file = open_file(next, "w");
    if (!file) return UNKNOWN;
    fprintf(file, "%d", state);
    fclose(file);
    beside(from, next);
    beside(to, name);
    return rename(from, to) ? UNKNOWN : SUCCESS;
}

static void note(const char *name, int pid, const char *what) {
    FILE *file = open_file("calls", "a");
    if (!file) return;
    fprintf(file, "%s %d%s\n", name, pid, what);
    fclose(file);
}

/* Whether a fault is set for a function: what it is to return, or that it is to go on. */
static int faulty(const char *name, int pid, CUresult *code) {
    for (;;) {
        char function[64] = "", what[64] = "";
        FILE *file = open_file("fault", "r");
        if (!file) return 0;
        int read = fscanf(file, "%63s %63s", function, what);
        fclose(file);
        if (read != 2 || strcmp(function, name)) return 0;
        if (!strcmp(what, "hang")) {
            usleep(5000);
            continue;
        }
        if (!strcmp(what, "lose")) {
            become(pid, FAILED);
            *code = UNKNOWN;
            return 1;
        }
        *code = (CUresult)atoi(what);
        return 1;
    }
}

static int zero(const void *bytes, size_t count) {
    const unsigned char *at = bytes;
    while (count--)
        if (*at++) return 0;
    return 1;
}

/* Files of the process on every simulated device: PID becomes PID.suspended, or the other way round. */
static void move_memory(int pid, int suspend) {
    char root[PATH_MAX] = "";
    FILE *file = open_file("devices", "r");
    if (!file) return;
    if (!fgets(root, sizeof root, file)) root[0] = 0;
    fclose(file);
    root[strcspn(root, "\n")] = 0;
    DIR *devices = opendir(root);
    if (!devices) return;
    for (struct dirent *entry; (entry = readdir(devices));) {
        char on[PATH_MAX * 2], off[PATH_MAX * 2];
        if (entry->d_name[0] == '.') continue;
        snprintf(on, sizeof on, "%s/%s/%d", root, entry->d_name, pid);
        snprintf(off, sizeof off, "%s/%s/%d.suspended", root, entry->d_name, pid);
        if (suspend) rename(on, off);
        else rename(off, on);
    }
    closedir(devices);
}

static CUresult move(const char *name, int pid, int from, int to) {
    CUresult code;
    if (!initialized) return NOT_INITIALIZED;
    if (faulty(name, pid, &code)) return code;
    int state = state_of(pid);
    if (state < 0) return INVALID_VALUE;
    if (state != from) return ILLEGAL_STATE;
    return become(pid, to);
}

CUresult cuInit(unsigned int flags) {
    CUresult code;
    note("init", (int)flags, "");
    if (faulty("init", 0, &code)) return code;
    initialized = 1;
    return SUCCESS;
}

CUresult cuDriverGetVersion(int *version) {
    *version = read_number("version", 13000);
    return SUCCESS;
}

CUresult cuCheckpointProcessGetRestoreThreadId(int pid, int *tid) {
    if (!initialized) return NOT_INITIALIZED;
    if (state_of(pid) < 0) return INVALID_VALUE;
    *tid = pid + 1;
    return SUCCESS;
}

CUresult cuCheckpointProcessGetState(int pid, int *state) {
    CUresult code;
    if (!initialized) return NOT_INITIALIZED;
    if (faulty("state", pid, &code)) return code;
    int now = state_of(pid);
    if (now < 0) return INVALID_VALUE;
    *state = now;
    return SUCCESS;
}

CUresult cuCheckpointProcessLock(int pid, CUcheckpointLockArgs *args) {
    char what[64];
    snprintf(what, sizeof what, " timeout=%u", args->timeoutMs);
    note("lock", pid, what);
    if (args->reserved0 || !zero(args->reserved1, sizeof args->reserved1)) return INVALID_VALUE;
    return move("lock", pid, RUNNING, LOCKED);
}

CUresult cuCheckpointProcessCheckpoint(int pid, CUcheckpointCheckpointArgs *args) {
    note("checkpoint", pid, "");
    if (!zero(args, sizeof *args)) return INVALID_VALUE;
    CUresult code = move("checkpoint", pid, LOCKED, CHECKPOINTED);
    if (code == SUCCESS) move_memory(pid, 1);
    return code;
}

CUresult cuCheckpointProcessRestore(int pid, CUcheckpointRestoreArgs *args) {
    char what[64];
    if (!zero(args->reserved, sizeof args->reserved) || args->reserved1) return INVALID_VALUE;
    if (!args->gpuPairs != !args->gpuPairsCount) return INVALID_VALUE;
    what[0] = 0;
    if (args->gpuPairsCount)
        snprintf(what, sizeof what, " pairs=%u %02x->%02x", args->gpuPairsCount,
                 args->gpuPairs[args->gpuPairsCount - 1].oldUuid.bytes[15],
                 args->gpuPairs[args->gpuPairsCount - 1].newUuid.bytes[15]);
    note("restore", pid, what);
    CUresult code = move("restore", pid, CHECKPOINTED, LOCKED);
    if (code == SUCCESS) move_memory(pid, 0);
    return code;
}

CUresult cuCheckpointProcessUnlock(int pid, CUcheckpointUnlockArgs *args) {
    note("unlock", pid, "");
    if (!zero(args, sizeof *args)) return INVALID_VALUE;
    return move("unlock", pid, LOCKED, RUNNING);
}
