import type { Reporter, TestModule } from 'vitest/node';

/** Ends a run with the line that `scripts/test` adds up: `N passed, N failed`. */
export default class CountReporter implements Reporter {
    onTestRunEnd(modules: ReadonlyArray<TestModule>, errors: ReadonlyArray<unknown>): void {
        let passed = 0;
        let failed = errors.length;
        for (const module of modules) {
            if (module.state() === 'failed' && [...module.children.allTests('failed')].length === 0) failed += 1;
            for (const test of module.children.allTests()) {
                if (test.result().state === 'passed') passed += 1;
                if (test.result().state === 'failed') failed += 1;
            }
        }
        process.stdout.write(`${passed} passed, ${failed} failed\n`);
    }
}
