// The floors of the house (docs/architecture.md): a file imports from its own folder or from a floor below,
// never sideways or up. `jobs/` is where engines meet.
const GROUND = '^src/(config|config/.*|errors|clock|log|log-file|heartbeat|quantities)(\\.ts)?$';
const TOOLS = 'postgres|storage|catalog|codec';
const ENGINES = 'dump|restore|drill|wal|base|retention|schedule|report|notify|health|http';
const JOBS = '^src/(jobs/|scheduler\\.ts$)';
const ENTRIES = '^src/(main\\.ts$|cli\\.ts$|cli/|assemble\\.ts$|assemble/)';

const only = (name, comment, module, allowed) => ({
  name,
  comment,
  severity: 'error',
  from: { path: '^src/', pathNot: allowed },
  to: { path: module },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'Two files that call each other are one file, or hide a third. Type-only imports are erased and may go both ways.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'not-to-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'ground-imports-only-ground',
      severity: 'error',
      from: { path: GROUND },
      to: { path: '^src/', pathNot: GROUND },
    },
    {
      name: 'tools-never-up',
      severity: 'error',
      from: { path: `^src/(${TOOLS})/` },
      to: { path: `^src/(${ENGINES})/|${JOBS}|${ENTRIES}` },
    },
    {
      name: 'tools-never-sideways',
      severity: 'error',
      from: { path: '^src/(postgres|storage|codec)/' },
      to: { path: `^src/(${TOOLS})/`, pathNot: '^src/$1/' },
    },
    {
      name: 'catalog-knows-codec-and-the-storage-port',
      comment: 'It reads members, and finds backups on any storage; no adapter, and of databases only what one is made with.',
      severity: 'error',
      from: { path: '^src/catalog/' },
      to: {
        path: `^src/(${TOOLS})/`,
        pathNot: '^src/(catalog/|codec/|storage/storage\\.ts$|postgres/database-properties\\.ts$)',
      },
    },
    {
      name: 'engines-never-up',
      severity: 'error',
      from: { path: `^src/(${ENGINES})/` },
      to: { path: `${JOBS}|${ENTRIES}` },
    },
    {
      name: 'engines-never-sideways',
      comment: 'Engines meet in jobs/.',
      severity: 'error',
      from: { path: `^src/(${ENGINES})/` },
      to: { path: `^src/(${ENGINES})/`, pathNot: '^src/$1/' },
    },
    {
      name: 'jobs-never-up',
      severity: 'error',
      from: { path: '^src/jobs/' },
      to: { path: `^src/scheduler\\.ts$|${ENTRIES}` },
    },
    {
      name: 'scheduler-knows-only-the-job-port-and-the-calendar',
      severity: 'error',
      from: { path: '^src/scheduler\\.ts$' },
      to: { path: '^src/', pathNot: `^src/jobs/job\\.ts$|^src/schedule/|${GROUND}` },
    },
    {
      name: 'production-code-never-imports-tests',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|scripts)/' },
    },
    {
      name: 'no-dev-dependencies-in-production',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    only(
      'pg-only-where-it-belongs',
      'The driver stays in postgres/, dump/ and restore/.',
      'node_modules/(@types/)?pg(-copy-streams)?/',
      '^src/(postgres|dump|restore)/',
    ),
    only('aws-only-in-s3', 'The AWS SDK stays in storage/s3*.', 'node_modules/@(aws-sdk|smithy)/', '^src/storage/s3'),
    only(
      'node-cron-only-in-the-scheduler',
      'Everything else sees a Job.',
      'node_modules/(@types/)?node-cron/',
      '^src/scheduler\\.ts$',
    ),
    only('nodemailer-only-in-mail', 'Everything else sees a Notifier.', 'node_modules/nodemailer/', '^src/notify/mail\\.ts$'),
    only(
      'convict-only-in-config',
      'Everything else is handed its settings.',
      'node_modules/(@types/)?convict/',
      '^src/config(\\.ts$|/)',
    ),
    only(
      'commander-only-in-the-command-line',
      'Commands call the same parts as the daemon.',
      'node_modules/commander/',
      '^src/cli(\\.ts$|/)',
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^src/codec/kernel/' },
    tsConfig: { fileName: 'tsconfig.json' },
    // Type-only imports count: a type is knowledge too.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
