"""The closed set of steps; each says what it does and what it touches."""

from pgpool_recovery.facts.step.moving import (
    Clone,
    DiscardWaiting,
    PutInPlace,
    PutOldBack,
    RemoveOld,
    Reserve,
    SwapIn,
    TakeOut,
)
from pgpool_recovery.facts.step.standby import (
    ConfigureStandby,
    CreateSlot,
    KeepToPast,
    Repoint,
    RepointRunning,
)
from pgpool_recovery.facts.step.transfer import (
    CheckMade,
    CopyBaseBackup,
    Delta,
    Incremental,
    RestoreBackup,
    Rewind,
    RunCommand,
)

TargetStep = (
    Reserve
    | DiscardWaiting
    | PutOldBack
    | RemoveOld
    | CopyBaseBackup
    | ConfigureStandby
    | SwapIn
    | Repoint
    | KeepToPast
    | RepointRunning
    | Clone
    | TakeOut
    | Rewind
    | Incremental
    | Delta
    | RestoreBackup
    | RunCommand
    | CheckMade
    | PutInPlace
)


Step = TargetStep | CreateSlot
