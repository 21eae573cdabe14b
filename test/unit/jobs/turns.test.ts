import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Turns, type Claim, type Turn } from '../../../src/jobs/turns.ts';

const never = new AbortController().signal;
const claim = (name: string, atMost = 1): Claim => ({ name, atMost });

/** Lets everything go on that can. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('Turns', () => {
  test('are given in the order of asking, and never more than allowed', async () => {
    const turns = new Turns(2);
    const begun: string[] = [];
    const held = new Map<string, Turn>();
    const ask = (name: string, claims: readonly Claim[]) =>
      void turns.take(claims, never).then((turn) => {
        begun.push(name);
        held.set(name, turn!);
      });
    ask('a1', [claim('a')]);
    ask('a2', [claim('a')]);
    ask('a3', [claim('a')]);
    ask('b1', [claim('b')]);
    ask('c1', [claim('c')]);
    await settle();
    // b1 does not wait for the server that a2 waits for.
    expect(begun).toEqual(['a1', 'b1']);
    held.get('a1')!.release();
    held.get('a1')!.release();
    await settle();
    expect(begun).toEqual(['a1', 'b1', 'a2']);
    held.get('b1')!.release();
    await settle();
    expect(begun).toEqual(['a1', 'b1', 'a2', 'c1']);
  });

  test('are not waited for any more when stopped', async () => {
    const turns = new Turns(1);
    const first = await turns.take([], never);
    const stop = new AbortController();
    let waited = false;
    const second = turns.take([], stop.signal, () => (waited = true));
    const third = turns.take([], never);
    stop.abort();
    expect(await second).toBeUndefined();
    expect(waited).toBe(true);
    first!.release();
    expect(await third).toBeDefined();
    expect(await turns.take([], AbortSignal.abort())).toBeUndefined();
  });

  test('hold every bound, and everybody gets one, whatever the order', async () => {
    const job = fc.record({ server: fc.integer({ min: 0, max: 2 }), steps: fc.integer({ min: 1, max: 4 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(job, { maxLength: 30 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 2 }),
        async (jobs, overall, perServer) => {
          const turns = new Turns(overall);
          const running: number[] = [];
          let done = 0;
          await Promise.all(
            jobs.map(async ({ server, steps }) => {
              const turn = await turns.take([claim(String(server), perServer)], never);
              running.push(server);
              expect(running.length).toBeLessThanOrEqual(overall);
              expect(running.filter((each) => each === server).length).toBeLessThanOrEqual(perServer);
              for (let step = 0; step < steps; step += 1) await settle();
              running.splice(running.indexOf(server), 1);
              done += 1;
              turn!.release();
            }),
          );
          expect(done).toBe(jobs.length);
        },
      ),
      { numRuns: 30 },
    );
  });
});
