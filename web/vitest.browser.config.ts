import { defineConfig } from 'vitest/config';

// Tests in a real browser against a real server; see README.md, "Tests".
export default defineConfig({
    test: {
        include: ['tests/browser/**/*.test.ts'],
        globalSetup: './tests/browser/server.ts',
        // One server and one browser at a time: the flows change the same boards.
        fileParallelism: false,
        testTimeout: 90_000,
        hookTimeout: 90_000,
        reporters: ['default', './tests/count-reporter.ts'],
    },
});
