import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig } from 'vitest/config';

const server = process.env.REFEREE_SERVER ?? 'http://127.0.0.1:8080';

export default defineConfig({
    plugins: [sveltekit()],
    build: { target: ['chrome123', 'firefox128', 'safari17.5'] },
    server: { proxy: { '/api': server } },
    test: {
        include: ['src/**/*.test.ts'],
        reporters: ['default', './tests/count-reporter.ts'],
    },
});
