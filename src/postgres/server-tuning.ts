import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';

/** What a server may use; in a container, what the container may use. */
export interface Machine {
  /** Bytes. */
  readonly memory: number;
  readonly processors: number;
  /** Bytes of /dev/shm: 64 MiB in a container unless somebody asked for more. */
  readonly sharedMemory: number;
}

export interface Tuning {
  readonly settings: Readonly<Record<string, string>>;
  /** For each of the sessions that build indexes, one per processor and at most eight. */
  readonly maintenanceWorkMem: string;
}

const MEBIBYTE = 2 ** 20;
/** Parallel sessions that one restore has at most. */
const MOST_SESSIONS = 8;
const ROOMY_SHARED_MEMORY = 1024 * MEBIBYTE;

/** The memory limit is the container's (cgroup v1 or v2) when it has one. */
export async function readMachine(): Promise<Machine> {
  const limit = process.constrainedMemory();
  const shm = await statfs('/dev/shm').catch(() => undefined);
  return {
    memory: limit > 0 ? Math.min(limit, totalmem()) : totalmem(),
    processors: availableParallelism(),
    sharedMemory: shm === undefined ? 0 : shm.blocks * shm.bsize,
  };
}

/**
 * Settings for a server that is filled once, queried a little and thrown away: an eighth of the memory for its own cache, a quarter for
 * building indexes, and the rest for the system's cache and for us. With `wal_level=minimal` building an index writes no WAL.
 */
export function tuneForLoading({ memory, processors, sharedMemory }: Machine): Tuning {
  const sessions = Math.min(processors, MOST_SESSIONS);
  const maintenanceWorkMem = megabytes(memory / 4 / sessions, 16, 1024);
  return {
    maintenanceWorkMem,
    settings: {
      shared_buffers: megabytes(memory / 8, 16, 2048),
      maintenance_work_mem: maintenanceWorkMem,
      work_mem: megabytes(memory / 64 / sessions, 4, 64),
      max_worker_processes: String(8 + processors),
      max_parallel_workers: String(processors),
      max_parallel_workers_per_gather: String(Math.min(processors, 4)),
      max_parallel_maintenance_workers: String(Math.min(processors - 1, 4)),
      wal_level: 'minimal',
      max_wal_senders: '0',
      // Files in the data directory, which go with it, where /dev/shm is too small for parallel index builds.
      dynamic_shared_memory_type: sharedMemory < ROOMY_SHARED_MEMORY ? 'mmap' : 'posix',
    },
  };
}

function megabytes(bytes: number, from: number, to: number): string {
  return `${Math.max(from, Math.min(to, Math.floor(bytes / MEBIBYTE)))}MB`;
}
