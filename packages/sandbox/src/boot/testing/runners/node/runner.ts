import '../typescript/runner.ts';
