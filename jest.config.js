// Tests run as ES modules (`node --experimental-vm-modules`, set by the npm scripts); swc only strips the types.
// Worker threads and child processes that the tested code starts are plain Node, which strips types itself.
const shared = {
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

const project = (displayName, testTimeout) => ({
  ...shared,
  displayName,
  testTimeout,
  testMatch: [`<rootDir>/test/${displayName}/**/*.test.ts`],
});

/** @type {import('jest').Config} */
export default {
  projects: [
    project('unit', 30_000),
    project('contract', 120_000),
    // Real servers: long limits, so that a slow machine is not a failure; no test asserts wall-clock time.
    project('integration', 300_000),
    project('faults', 300_000),
  ],
};
