// Tests run as ES modules (`node --experimental-vm-modules`, set by the npm scripts); swc only strips the types.
// Worker threads and child processes that the tested code starts are plain Node, which strips types itself.
const shared = {
  // Not among the temporary files, which go with each run.
  cacheDirectory: '<rootDir>/node_modules/.cache/jest',
  testEnvironment: '<rootDir>/test/support/jest-environment.js',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2024',
          parser: { syntax: 'typescript' },
          transform: { verbatimModuleSyntax: true },
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.cache/'],
};

const project = (displayName) => ({
  ...shared,
  displayName,
  testMatch: [`<rootDir>/test/${displayName}/**/*.test.ts`],
});

/** @type {import('jest').Config} */
export default {
  projects: ['unit', 'contract', 'integration', 'faults', 'container'].map(project),
  testSequencer: '<rootDir>/test/support/longest-first.js',
  // Far longer than any test takes: it is there for what hangs, and a slow machine is not a failure.
  testTimeout: 300_000,
};
