function count(results, key) {
  return results.reduce((sum, result) => sum + (Array.isArray(result[key]) ? result[key].length : result[key]), 0);
}

function printFailures(results) {
  for (const { title, details } of results.flatMap((result) => result.failures)) {
    console.log(`\nFAILED  ${title}`);
    if (details !== '') console.log(details.replace(/^/gm, '  '));
  }
}

function printSkipped(results) {
  const skipped = results.flatMap((result) => result.skipped);
  if (skipped.length === 0) return;
  console.log('\nSkipped:');
  for (const title of skipped) console.log(`  ${title}`);
  console.log('because:');
  for (const reason of new Set(results.flatMap((result) => result.reasons))) console.log(`  ${reason}`);
}

/**
 * Prints failures, skipped tests with their reasons, a line for each section and, last, the line of counts.
 * Good is: nothing failed, something ran, nothing was skipped without a reason, and nothing at all where that is not allowed.
 */
export function printSummary(results, { skippedIsFailed }) {
  printFailures(results);
  printSkipped(results);
  console.log('');
  for (const { section, passed, failures, skipped } of results) {
    console.log(`${section.padEnd(12)} ${passed} passed, ${failures.length} failed, ${skipped.length} skipped`);
  }
  const skipped = count(results, 'skipped');
  const passed = count(results, 'passed');
  const silent = results.some((result) => result.skipped.length > 0 && result.reasons.length === 0);
  let failed = count(results, 'failures');
  if (skipped > 0 && (skippedIsFailed || silent)) {
    console.log(
      skippedIsFailed
        ? '\nSkipped tests count as failed here (CI=true).'
        : '\nSkipped tests without a printed reason count as failed.',
    );
    failed += skipped;
  }
  if (passed + failed === 0) console.log('\nNo test ran: that is a failure.');
  const skippedPart = skipped > 0 && !skippedIsFailed && !silent ? `, ${skipped} skipped` : '';
  console.log(`${passed} passed, ${failed} failed${skippedPart}`);
  return failed === 0 && passed > 0;
}
