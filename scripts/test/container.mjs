import { startEngine } from './engine.mjs';
import { runJest } from './jest.mjs';

/** The tests in containers, on the Docker engine that answers or on our own. Without one, they say so and are skipped. */
export async function runContainer(patterns) {
  let engine;
  try {
    engine = await startEngine();
  } catch (error) {
    const failures = [{ title: 'container: no image to test', details: error.message }];
    return { section: 'container', passed: 0, failures, skipped: [], reasons: [] };
  }
  if (engine.why !== undefined)
    return (await runJest(['container'], patterns, { env: { DB_BACKUP_TEST_NO_ENGINE: engine.why } }))[0];
  try {
    return (await runJest(['container'], patterns, { env: engine.env }))[0];
  } finally {
    await engine.stop();
  }
}
