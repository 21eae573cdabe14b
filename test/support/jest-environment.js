import { TestEnvironment } from 'jest-environment-node';

// Jest runs tests in a VM context with an `Error` of its own, while Node's own modules throw the outer one, so that
// `error instanceof Error` would be false for ENOENT or an abort, in tests only. Here it says what it says in production.
export default class NodeEnvironment extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of ['Error', 'TypeError', 'RangeError', 'SyntaxError', 'AggregateError']) {
      const inner = this.global[name];
      const outer = globalThis[name];
      Object.defineProperty(inner, Symbol.hasInstance, {
        configurable: true,
        value(value) {
          const ordinary = Function.prototype[Symbol.hasInstance];
          return ordinary.call(this, value) || (this === inner && ordinary.call(outer, value));
        },
      });
    }
  }
}
