import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const read = (path: string) => readFileSync(join(import.meta.dirname, '../..', path), 'utf8');
const argument = (name: string) => new RegExp(`^ARG ${name}=(.*)$`, 'm').exec(read('Dockerfile'))?.[1];

test('the image has the Node of the lock file', () => {
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, { version: string }> };
  expect(argument('NODE_VERSION')).toBe(lock.packages['node_modules/node']!.version);
});

test('the compose file builds the image with the same defaults', () => {
  const compose = read('docker-compose.backup.yml');
  for (const name of ['PG_MAJOR', 'PG_PACKAGES', 'PG_EXTENSIONS', 'DEBIAN_SUITE']) {
    expect([name, new RegExp(`^ +${name}: \\$\\{${name}:?-(.*)\\}$`, 'm').exec(compose)?.[1]]).toEqual([name, argument(name)]);
  }
});

test('the daemon begins with as little memory for short-lived objects, however it is started', () => {
  const option = '--max-semi-space-size=4';
  expect(read('src/main.ts').split('\n')[0]).toBe(`#!/usr/bin/env -S node ${option}`);
  expect(JSON.parse(read('package.json')).scripts.start).toBe(`node ${option} dist/main.js`);
});

test('nothing needs a shell to start, and no volume is made that nobody asked for', () => {
  const dockerfile = read('Dockerfile');
  expect(dockerfile).toMatch(/^ENTRYPOINT \["/m);
  expect(dockerfile).toMatch(/^CMD \["/m);
  expect(dockerfile).not.toMatch(/^VOLUME/m);
});
