/**
 * Starts the real binary with the demo's data for all browser tests, and stops it after them.
 *
 * REFEREE_BINARY names the binary (default: the development build); REFEREE_TEST_SERVER, with
 * REFEREE_TEST_DATA, a demo that already runs, for writing tests.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
    interface ProvidedContext {
        /** The server's address, without a trailing slash. */
        server: string;
        /** The password of `organizer`, who is the administrator. */
        organizerPassword: string;
    }
}

const repository = path.resolve(import.meta.dirname, '../../..');
// A development build trains the demo's competitors slowly, more so on a busy machine, and most so in full.
const START_DEADLINE_MS = process.env.REFEREE_README_IMAGES ? 2_400_000 : 1_200_000;

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
    const running = process.env.REFEREE_TEST_SERVER;
    const data = running ? requiredData() : await mkdtemp(path.join(tmpdir(), 'referee-web.'));
    const server = running ?? `http://127.0.0.1:${await freePort()}`;
    let child: ChildProcess | undefined;
    if (!running) {
        // The private PostgreSQL runs as a user of its own, who must be able to pass.
        await chmod(data, 0o755);
        child = await startDemo(data, server);
    }
    project.provide('server', server);
    project.provide('organizerPassword', await password(data, 'organizer'));
    return async () => {
        if (!child) return;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGTERM');
        await ended;
        await rm(data, { recursive: true, force: true });
    };
}

function requiredData(): string {
    const data = process.env.REFEREE_TEST_DATA;
    if (!data) throw new Error('REFEREE_TEST_SERVER is set: set REFEREE_TEST_DATA to the --data directory of that demo');
    return data;
}

/** Ends once the competitors of the demo are on the board. */
async function startDemo(data: string, server: string): Promise<ChildProcess> {
    const binary =
        process.env.REFEREE_BINARY ??
        path.join(process.env.CARGO_TARGET_DIR ?? path.join(repository, 'target'), 'debug/referee');
    // The images of README.md show networks that are trained in full.
    const training = process.env.REFEREE_README_IMAGES ? [] : ['--most-epochs', '1'];
    const child = spawn(binary, ['demo', ...training, '--data', data, '--listen', new URL(server).host], {
        stdio: ['ignore', 'pipe', 'pipe'],
        // The tests open more accounts from one address than a server allows anybody.
        env: { ...process.env, REFEREE_SIGN_UPS_PER_HOUR: '1000' },
    });
    let output = '';
    const gather = (chunk: Buffer): void => {
        output += chunk.toString();
    };
    child.stderr.on('data', gather);
    let timer: NodeJS.Timeout | undefined;
    try {
        await new Promise<void>((resolve, reject) => {
            timer = setTimeout(() => reject(new Error(`the demo has not started in time:\n${output}`)), START_DEADLINE_MS);
            child.stdout.on('data', (chunk: Buffer) => {
                gather(chunk);
                if (output.includes('Sign in as organizer')) resolve();
            });
            child.once('error', (cause) => reject(new Error(`${binary} cannot be started: cargo build, or set REFEREE_BINARY`, { cause })));
            child.once('exit', (code) => reject(new Error(`${binary} ended with ${code}:\n${output}`)));
        });
    } catch (failure) {
        child.kill('SIGTERM');
        throw failure;
    } finally {
        clearTimeout(timer);
    }
    return child;
}

async function password(data: string, handle: string): Promise<string> {
    return (await readFile(path.join(data, 'demo/passwords', handle), 'utf8')).trim();
}

async function freePort(): Promise<number> {
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
    const address = probe.address();
    await new Promise((resolve) => probe.close(resolve));
    if (address === null || typeof address === 'string') throw new Error('no port is free');
    return address.port;
}
