;; A verifier that traps before anybody calls it.
(module
  (@custom "claviger:manifest" "{\"name\":\"verifier-snp\",\"kind\":\"verifier\",\"version\":\"0\",\"imports\":[\"custody\"]}")
  (memory (export "memory") 1)
  (data (i32.const 16) "snp")
  (data (i32.const 32) "application/vnd.amd.sev-snp-report")
  ;; list<string>: one, at 96
  (data (i32.const 96) "\20\00\00\00\22\00\00\00")
  ;; description: tee, evidence-types, at 112
  (data (i32.const 112) "\10\00\00\00\03\00\00\00\60\00\00\00\01\00\00\00")
  (global $free (mut i32) (i32.const 1024))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
    (global.set $free (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func (export "claviger:plugin/verifier@0.1.0#describe") (result i32) (i32.const 112))
  (func (export "claviger:plugin/verifier@0.1.0#verify")
    (param i32 i32 i32 i32 i32 i32 i64) (result i32)
    (unreachable))
  (func $start (unreachable))
  (start $start))
