import { SimulatedDaemon } from './daemon.ts';
import type { World } from './world.ts';

const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** A year: most days nothing happens to the daemon; on some it is stopped, killed or put to sleep, for minutes or for days. */
export async function liveThrough(world: World, end: Date): Promise<void> {
  const { time, chance, random, account, targets, wrong } = world;
  let daemon = await SimulatedDaemon.start(world);
  while (time.now() < end) {
    const today = Math.floor(time.now().getTime() / DAY_MS) * DAY_MS;
    if (chance(0.15)) {
      await until(today + (chance(0.6) ? 1.9 + random() * 4 : random() * 23) * HOUR_MS);
      daemon = await trouble();
    }
    await until(Math.floor(time.now().getTime() / DAY_MS) * DAY_MS + DAY_MS);
    const losses = await account.losses(targets, time.now().getTime());
    wrong.push(...losses.map((loss) => `on ${time.now().toISOString()}: ${loss}`));
  }
  // Past the last slot.
  await until(time.now().getTime() + HOUR_MS / 2);
  await daemon.stop();

  async function until(at: number): Promise<void> {
    const ms = at - time.now().getTime();
    if (ms > 0) await daemon.pass(ms);
  }

  async function trouble(): Promise<SimulatedDaemon> {
    const hours = chance(0.4) ? random() / 2 : chance(0.7) ? 1 + random() * 20 : 24 + random() * 120;
    if (chance(0.2)) {
      await daemon.suspend(hours * HOUR_MS);
      return daemon;
    }
    if (chance(0.5)) await daemon.stop();
    else daemon.kill();
    await time.pass(hours * HOUR_MS, async () => undefined);
    return await SimulatedDaemon.start(world);
  }
}
