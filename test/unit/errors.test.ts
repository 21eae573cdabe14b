import { describe, expect, test } from '@jest/globals';

import { BackupError, toBackupError } from '../../src/errors.ts';

describe('toBackupError', () => {
  test('passes a BackupError through', () => {
    const error = new BackupError('STORAGE_FULL', 'the disk is full', { hint: 'free some space' });
    expect(toBackupError(error)).toBe(error);
    expect(error.exitStatus).toBe(20);
  });

  test('turns an abort into ABORTED with exit status 130', () => {
    const controller = new AbortController();
    controller.abort();
    const error = toBackupError(controller.signal.reason);
    expect(error.code).toBe('ABORTED');
    expect(error.exitStatus).toBe(130);
  });

  test('keeps an unknown failure as the cause of an INTERNAL error', () => {
    const cause = new TypeError('x is not a function');
    const error = toBackupError(cause);
    expect(error).toMatchObject({ code: 'INTERNAL', message: 'x is not a function', cause, retryable: false, exitStatus: 1 });
    expect(error.hint).toContain('report');
  });

  test('accepts a thrown value that is not an Error', () => {
    expect(toBackupError('plain text')).toMatchObject({ code: 'INTERNAL', message: 'plain text' });
  });
});
