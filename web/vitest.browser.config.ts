import { defineConfig } from 'vitest/config';

// Tests in a real browser against a real server; see README.md, "Tests".
export default defineConfig({
    test: {
        include: ['tests/browser/**/*.test.ts'],
        globalSetup: './tests/browser/server.ts',
        // One server and one browser at a time: the flows change the same boards.
        fileParallelism: false,
        // Far more than they take, on a machine that has much else to do.
        testTimeout: 180_000,
        hookTimeout: 180_000,
        // As long as the browser's own waits.
        expect: { poll: { timeout: 30_000 } },
        reporters: ['default', './tests/count-reporter.ts'],
    },
});
