import { describe, expect, test } from '@jest/globals';
import { readMachine, tuneForLoading } from '../../../src/postgres/server-tuning.ts';

const GIB = 2 ** 30;

describe('the tuning of a throw-away server', () => {
  test('leaves most of a small container to the others', () => {
    const { settings, maintenanceWorkMem } = tuneForLoading({ memory: GIB / 2, processors: 2, sharedMemory: 64 * 2 ** 20 });
    expect(settings).toMatchObject({
      shared_buffers: '64MB',
      maintenance_work_mem: '64MB',
      max_parallel_maintenance_workers: '1',
      // Docker's /dev/shm of 64 MiB is too small for parallel index builds.
      dynamic_shared_memory_type: 'mmap',
    });
    expect(maintenanceWorkMem).toBe('64MB');
  });

  test('has bounds on a large machine, and on a tiny one', () => {
    expect(tuneForLoading({ memory: 512 * GIB, processors: 64, sharedMemory: 256 * GIB }).settings).toMatchObject({
      shared_buffers: '2048MB',
      maintenance_work_mem: '1024MB',
      work_mem: '64MB',
      max_parallel_workers: '64',
      dynamic_shared_memory_type: 'posix',
    });
    expect(tuneForLoading({ memory: 2 ** 26, processors: 1, sharedMemory: 0 }).settings).toMatchObject({
      shared_buffers: '16MB',
      maintenance_work_mem: '16MB',
      max_parallel_maintenance_workers: '0',
    });
  });

  test('knows of a machine what it may use', async () => {
    const { memory, processors } = await readMachine();
    expect(memory).toBeGreaterThan(2 ** 26);
    expect(processors).toBeGreaterThan(0);
  });
});
